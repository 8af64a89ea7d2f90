// Streams, captured graphs, the log of what is done, and the hazards of a capture.
//
// A stream's work is done when it is put there, unless the stream is being captured: then it is
// kept, and done when the graph is launched. Threads of the host take turns.
#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <vector>

using Work = std::function<void()>;

struct Node { Work work; std::string what; };
struct Graph { std::vector<Node> nodes; };
struct Stream { bool capturing = false, spoiled = false; Graph captured; };

static Stream default_stream;
static thread_local int captures = 0;     // streams that this thread is capturing
static std::vector<Stream*> all_captures;  // those of all threads
static std::recursive_mutex turn;
using Turn = std::lock_guard<std::recursive_mutex>;

// The handles 0, 1 and 2 are CUDA's names for the default stream.
static Stream* stream_of(void* handle) {
  return (size_t)handle <= 2 ? &default_stream : (Stream*)handle;
}

static std::vector<std::string> lines;
static bool is_logging = false;
static void (*on_hazard)(const char*) = nullptr;

static void note(const std::string& line) {
  Turn mine(turn);
  if (is_logging) lines.push_back(line);
}

static void hazard(const std::string& what) {
  note("HAZARD " + what);
  if (on_hazard) on_hazard(what.c_str());
}

static int submit(void* handle, const std::string& what, Work work) {
  Stream* stream = stream_of(handle);
  if (stream->capturing) {
    stream->captured.nodes.push_back({work, what});
    note("captured " + what);
    return 0;
  }
  Turn mine(turn);
  note(what);
  work();
  return 0;
}
