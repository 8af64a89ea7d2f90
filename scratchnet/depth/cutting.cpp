// A layer's neurons cut the polygons, one after another: what `Cutting.cut_along` does, in the same
// order and to the same bits. There each cut takes some thirty array operations, which cost more
// than the work itself where polygons are few.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

using Edge = std::pair<int64_t, int64_t>;  // the lower vertex, the higher one

struct Layer {
    double *values;              // (vertex_room, columns), of which z are `neurons` from `first` on
    int64_t *polygons, *origin;  // (polygon_room, corner_room), (polygon_room)
    const uint8_t *may_cut;      // (neurons / 8, pieces): bit by bit, as in `Cutting`
    const double *limit;         // (neurons): what is smaller is 0
    int64_t columns, first, neurons, pieces, vertex_room, polygon_room, corner_room, most;
    int64_t vertices, count, width, neuron;  // what there is so far, and which neuron cuts next
    int64_t widest;                          // how many corners it needs room for
};

static int sign(const Layer &layer, int64_t vertex) {
    double z = layer.values[vertex * layer.columns + layer.first + layer.neuron];
    return (z > 0) - (z < 0);
}

static int64_t corners(const Layer &layer, const int64_t *polygon) {
    int64_t corner = 1;
    while (corner < layer.width && polygon[corner] != polygon[0]) corner++;
    return corner;
}

// A new vertex where z is 0 on the edge, with all values.
static void add_vertex(Layer &layer, Edge edge) {
    const double *low = layer.values + edge.first * layer.columns;
    const double *high = layer.values + edge.second * layer.columns;
    double *made = layer.values + layer.vertices++ * layer.columns;
    int64_t z = layer.first + layer.neuron;
    double share = low[z] / (low[z] - high[z]);
    for (int64_t i = 0; i < layer.columns; i++) made[i] = low[i] + (high[i] - low[i]) * share;
    for (int64_t i = 0; i < layer.neurons; i++) {
        double &value = made[layer.first + i];
        if (std::fabs(value) <= layer.limit[i]) value = 0;
    }
}

// Cut along one neuron; false, with nothing changed, where there is not enough room.
static bool cut_along(Layer &layer) {
    std::vector<int64_t> cut;
    std::vector<Edge> edges;
    int64_t widest = layer.width;
    const uint8_t *may_cut = layer.may_cut + layer.neuron / 8 * layer.pieces;
    for (int64_t p = 0; p < layer.count; p++) {
        if (!(may_cut[layer.origin[p]] & (128 >> layer.neuron % 8))) continue;
        const int64_t *polygon = layer.polygons + p * layer.corner_room;
        int64_t count = corners(layer, polygon), first_edge = edges.size(), above = 0, below = 0;
        for (int64_t i = 0; i < count; i++) {
            int64_t from = polygon[i], to = polygon[i + 1 < count ? i + 1 : 0];
            above += sign(layer, from) > 0;
            below += sign(layer, from) < 0;
            if (sign(layer, from) * sign(layer, to) < 0) edges.push_back(std::minmax(from, to));
        }
        if (!above || !below) continue;
        cut.push_back(p);
        int64_t crossings = edges.size() - first_edge;
        widest = std::max(widest, count - std::min(above, below) + crossings);
    }
    layer.widest = widest;
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    if (layer.vertices + int64_t(edges.size()) > layer.vertex_room || widest > layer.corner_room ||
        layer.count + int64_t(cut.size()) > layer.polygon_room)
        return false;

    int64_t first_new = layer.vertices;
    for (Edge edge : edges) add_vertex(layer, edge);
    for (int64_t p : cut) {
        int64_t *polygon = layer.polygons + p * layer.corner_room;
        std::vector<int64_t> around(polygon, polygon + corners(layer, polygon));
        // What lies on the line is in both parts.
        for (int side : {1, -1}) {
            int64_t *part = side > 0 ? polygon : layer.polygons + layer.count * layer.corner_room;
            int64_t *end = part;
            for (size_t i = 0; i < around.size(); i++) {
                int64_t from = around[i], to = around[i + 1 < around.size() ? i + 1 : 0];
                if (sign(layer, from) != -side) *end++ = from;
                if (sign(layer, from) * sign(layer, to) < 0) {
                    auto edge = std::lower_bound(edges.begin(), edges.end(), Edge(std::minmax(from, to)));
                    *end++ = first_new + (edge - edges.begin());
                }
            }
            std::fill(end, part + layer.corner_room, part[0]);
        }
        layer.origin[layer.count++] = layer.origin[p];
    }
    layer.width = widest;
    layer.neuron++;
    return true;
}

extern "C" void run(Layer *layer, void *, int64_t, int64_t, int64_t, void *) {
    while (layer->neuron < layer->neurons && layer->count <= layer->most && cut_along(*layer)) {
    }
}
