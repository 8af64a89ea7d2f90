"""The claims of the ledger that arithmetic decides, each computed here; laws are in `laws`."""

import math
from math import prod

import numpy as np

from scratchnet.demos.claims.findings import Compute, Finding, judged, near, registry
from scratchnet.depth.budget import parameter_count
from scratchnet.depth.region_bounds import line_bound, lower_bound, textbook_bound, upper_bound

COMPUTED: dict[str, Compute] = {}
"""By the ids of the ledger's rows."""
row = registry(COMPUTED)


def weights_and_biases(widths: list[int]) -> int:
    """Parameters of dense layers: the sum of (n_in + 1) n_out."""
    return sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


# Parameters.


@row("000-006")
def convolution() -> Finding:
    """3 x 3 x 64 x 64 weights and 64 biases, against (n + 1) n of a dense layer, n = 8 x 8 x 64."""
    shared, dense = 3 * 3 * 64 * 64 + 64, weights_and_biases([8 * 8 * 64] * 2)
    text = "between 64 channels of 8 x 8, a 3 x 3 convolution has {:,}, a dense layer {:,}"
    return judged(shared < dense, text.format(shared, dense))


@row("000-008")
def snippet_sizes() -> Finding:
    """(n_in + 1) n_out summed over the layers of both networks."""
    shallow, deep = snippet()
    return judged(True, f"{shallow:,} parameters (one layer of 64) and {deep:,} (three of 64)")


@row("000-009")
def snippet_is_fair() -> Finding:
    """Equal up to 10 % would be fair."""
    shallow, deep = snippet()
    return judged(near(deep, shallow, 0.1), f"{deep:,} parameters against {shallow:,}")


def snippet() -> tuple[int, int]:
    """Parameters of 100-64-10 and 100-64-64-64-10."""
    return weights_and_biases([100, 64, 10]), weights_and_biases([100, 64, 64, 64, 10])


@row("001-003")
def widget_parameters() -> Finding:
    """2-4-4-4-1: 12 + 20 + 20 + 5."""
    found = weights_and_biases([2, 4, 4, 4, 1])
    return judged(found == 48, f"{found} with 2 inputs, biases and an output; 3 x 4 x 4 is 48")


@row("001-005")
def widget_shallow() -> Finding:
    """The two numbers of the claim, compared."""
    return judged(32 > 48, "32 is fewer than 48")


@row("001-037")
def about_2500() -> Finding:
    """1-833-1 and 1-28-28-28-28-1, within 1 % of 2,500."""
    shallow, deep = parameter_count(1, 833, 1), parameter_count(4, 28, 1)
    return judged(near(shallow, 2500) and near(deep, 2500), f"{shallow:,} and {deep:,}")


@row("002-047")
def five_perceptrons() -> Finding:
    """The widths of the claim's table with 3,072 inputs and 10 outputs, within 10 % of 500,000."""
    widths = {1: 700, 2: 500, 4: 350, 8: 250, 16: 175}
    counts = [parameter_count(depth, width, 3072, 10) for depth, width in widths.items()]
    text = ", ".join(f"{count:,}" for count in counts)
    return judged(all(near(count, 5e5, 0.1) for count in counts), f"{text} parameters")


@row("002-107")
def chapter_networks() -> Finding:
    """2-[32]*L-1 has 32 x 3 + (L - 1) x 32 x 33 + 33 parameters."""
    counts = [parameter_count(depth, 32, 2) for depth in (1, 2, 4, 8)]
    claimed = [129, 1185, 3297, 7521]
    return judged(counts == claimed, ", ".join(f"{count:,}" for count in counts))


@row("003-007")
def rule_of_thumb() -> Finding:
    """Width sqrt(P / L) against the budget P: P ignores n_in, biases and batch normalisation."""
    counts = [
        parameter_count(depth, int(math.sqrt(50_000 / depth)), 20, 1, batch_norm=True)
        for depth in (1, 2, 4, 8)
    ]
    text = ", ".join(f"{count:,}" for count in counts) + " of 50,000 at depth 1, 2, 4 and 8"
    return judged(all(near(count, 50_000, 0.1) for count in counts), text)


@row("003-008")
def output_shape() -> Finding:
    """(32, 20) times 20 x 16, 16 x 16, ..., 16 x 1."""
    shapes = set()
    for depth in (1, 2, 4, 8):
        x = np.ones((32, 20))
        for fan_out in [16] * depth + [1]:
            x = x @ np.ones((x.shape[1], fan_out))
        shapes.add(x.shape)
    return judged(shapes == {(32, 1)}, "products of (32, 20) with each layer's weights")


@row("003-013")
def wide_and_deep() -> Finding:
    """20-256-1 and 20-64-64-1, within 10 % of each other."""
    wide, deep = weights_and_biases([20, 256, 1]), weights_and_biases([20, 64, 64, 1])
    return judged(near(deep, wide, 0.1), f"{wide:,} and {deep:,}")


@row("003-014")
def each_20000() -> Finding:
    """20-256-1 and 20-64-64-1, within 10 % of 20,000."""
    wide, deep = weights_and_biases([20, 256, 1]), weights_and_biases([20, 64, 64, 1])
    return judged(near(wide, 20_000, 0.1) and near(deep, 20_000, 0.1), f"{wide:,} and {deep:,}")


@row("003-016")
def bottleneck() -> Finding:
    """64 to 16 to 64 has 65 x 16 + 17 x 64 parameters, 64 to 64 has 65 x 64."""
    block, plain = weights_and_biases([64, 16, 64]), weights_and_biases([64, 64])
    return judged(block < plain, f"{block:,} parameters (64 to 16 to 64) against {plain:,}")


@row("003-026")
def genomic_network() -> Finding:
    """10,001 x 512 + 513 x 2."""
    found = weights_and_biases([10_000, 512, 2])
    return judged(found == 5_121_538, f"{found:,}")


# Transformers, without embeddings: 12 d^2 parameters in each layer (Kaplan et al. 2020, table 1).


def transformer(layers: int, width: int) -> float:
    """Parameters without embeddings, 12 L d^2: Kaplan et al. 2020, table 1."""
    return 12 * layers * width**2


@row("001-023")
def gpt3() -> Finding:
    """12 L d^2, within 5 %; sizes from Brown et al. 2020, table 2.1."""
    found = transformer(96, 12_288)
    return judged(near(found, 175e9, 0.05), f"12 x 96 x 12,288^2 = {found:.4g}")


@row("001-024")
def vit_large() -> Finding:
    """12 L d^2, within 5 %; sizes from Dosovitskiy et al. 2021, table 1."""
    found = transformer(24, 1024)
    return judged(near(found, 307e6, 0.05), f"12 x 24 x 1,024^2 = {found:.4g}")


@row("001-025")
def bert_base() -> Finding:
    """12 L d^2 and d for each of 30,522 tokens, within 5 %; sizes from Devlin et al. 2019."""
    blocks, embeddings = transformer(12, 768), 30_522 * 768
    text = f"12 x 12 x 768^2 = {blocks:.3g}, and {embeddings:.3g} in embeddings"
    return judged(near(blocks + embeddings, 110e6, 0.05), text)


@row("002-045")
def gpt3_and_gpt2() -> Finding:
    """The ratio of the parameters, which the claim leaves out."""
    factor = 175e9 / 1.5e9
    return judged(factor > 2, f"{factor:.0f} times the parameters", more=True)


@row("002-089")
def width_and_layers() -> Finding:
    """Of L ~ N^0.5 and d ~ N^0.5 follows L d^2 ~ N^1.5, where N = 12 L d^2."""
    exponent = 0.5 + 2 * 0.5
    return judged(exponent == 1, f"layers times width squared then grow as N^{exponent:g}")


# Regions.


@row("001-004")
def widget_regions() -> Finding:
    """prod (n_l + 1) on a line; in the plane Montúfar et al. 2014 from below and the textbook's
    product of sums of binomials from above.
    """
    line, plane = line_bound([4, 4, 4]), textbook_bound([4, 4, 4], 2)
    best = lower_bound([4, 4, 4], 2)
    text = f"the best network has at least {best} regions in the plane; at most {line} on a line"
    return judged(best <= 8, f"{text} and {plane:,} in the plane")


@row("002-022", "002-128")
def exponent_of_regions() -> Finding:
    """(sum_{j <= d} C(w, j))^L ~ w^(d L): 56^3 at w = 10, d = 2, L = 3."""
    found = textbook_bound([10] * 3, 2)
    return judged(found <= 1000, f"10, 10, 10 in the plane: the bound is {found:,}, not 10^3")


@row("002-094")
def doubling() -> Finding:
    """Four layers that each double."""
    return judged(2**4 == 256, "four doublings make 16, not 256")


@row("002-130")
def three_layers_of_10() -> Finding:
    """(C(10, 0) + C(10, 1) + C(10, 2))^3, within half of the claimed 10^3."""
    found = textbook_bound([10] * 3, 2)
    return judged(near(found, 1000, 0.5), f"56^3 = {found:,}")


@row("002-141")
def five_layers_of_20() -> Finding:
    """(sum_{j <= 3} C(20, j))^5."""
    found = textbook_bound([20] * 5, 3)
    return judged(found == 1351**5, f"1,351^5 = {found:.3g}")


@row("002-144")
def passes_1e12() -> Finding:
    """The first L with (sum_{j <= 2} C(50, j))^L > 1e12."""
    depth = next(depth for depth in range(1, 10) if textbook_bound([50] * depth, 2) > 1e12)
    return judged(depth == 4, f"1,276^L is first larger at L = {depth}")


@row("003-003")
def pieces_of_parameters() -> Finding:
    """Telgarsky 2016: 2^L pieces on [0, 1]; two units a layer make 6 L + 1 parameters."""
    depth = 12
    pieces, parameters = 2**depth, 6 * depth + 1
    text = f"{pieces:,} pieces with {parameters} parameters at depth {depth}: 2^L with 6 L + 1"
    return judged(pieces > parameters, text, more=True)


@row("004-009")
def width_at_depth() -> Finding:
    """(d / e) r^(n / (t d)) at d = 2, r = 4, n = 4: a lower bound of the slides."""
    narrow, wide = ((2 / math.e) * 4 ** (4 / (t * 2)) for t in (5, 1))
    text = f"four maps in the plane, n = 4: {wide:.1f} at t = 1, {narrow:.1f} at t = 5"
    return judged(narrow < wide, text)


@row("004-010")
def regions_of_slides() -> Finding:
    """(e k / d)^(t d) at k = d = 2, t = 4, beside the bound of Serra et al. 2018."""
    claimed, better = (math.e * 2 / 2) ** (4 * 2), upper_bound([2] * 4, 2)
    text = f"four layers of 2 in the plane: {claimed:,.0f}; Serra et al. give {better}"
    return judged(claimed >= better, text, more=True)


@row("004-011")
def sign_changes() -> Finding:
    """2 r^n - 2 against r^n, r = 2 maps on a line."""
    n = 5
    return judged(2 * 2**n - 2 >= 2**n, f"two maps, n = {n}: {2 * 2**n - 2} changes", more=True)


# Shares, products and logical examples.


@row("001-016", "002-026")
def sums_and_products() -> Finding:
    """Objects, poses, lights and backgrounds: a detector for each, or a template for all."""
    factors = (1000, 100, 10, 8)
    text = f"{sum(factors):,} detectors against {prod(factors):,} templates"
    return judged(sum(factors) < prod(factors), text, more=True)


@row("002-025")
def templates() -> Finding:
    """1,000 x 100 x 10 x 8."""
    found = prod((1000, 100, 10, 8))
    return judged(found == 8_000_000, f"{found:,}")


@row("001-042")
def parity_of_100() -> Finding:
    """2^(n - 1) ANDs of a disjunctive normal form, n threshold neurons that count."""
    return judged(True, "2^99 ANDs and an OR; 100 threshold neurons and an output", more=True)


@row("002-034")
def chance() -> Finding:
    """One in k for k classes."""
    return judged(0.3 > 1 / 10, "chance is 10 % for ten classes and 50 % for two", more=True)


@row("002-042")
def error_and_depth() -> Finding:
    """1 - 3.6 / 16.4 (percent of ImageNet, 2012 and 2015) and 152 / 8 layers."""
    fall, growth = 1 - 3.6 / 16.4, 152 / 8
    text = f"{fall:.1%} and {growth:.1f} times"
    return judged(near(fall, 0.8, 0.05) and near(growth, 20, 0.06), text, more=True)


@row("002-052")
def spectral_radius() -> Finding:
    """The largest |eigenvalue| of two nilpotent matrices and of their product."""
    a, b = np.array([[0.0, 10], [0, 0]]), np.array([[0.0, 0], [10, 0]])
    radii = [max(abs(np.linalg.eigvals(each))) for each in (a, b, a @ b)]
    text = "two matrices of radius {:g} and {:g} have a product of radius {:g}".format(*radii)
    return judged(radii[2] < 1, text)


@row("002-057")
def resnet_examples() -> Finding:
    """Parameters / 10, the rule of the claim."""
    return judged(near(25e6 / 10, 2.5e6), "25e6 / 10 = 2.5e6; ImageNet has 1.28e6", more=True)


@row("002-068")
def ten_rounds() -> Finding:
    """(1 - 0.2)^10."""
    return judged(near(0.8**10, 0.107), f"0.8^10 = {0.8**10:.5f}")


@row("002-129")
def rounds_of_weights() -> Finding:
    """(1 - p)^k against rounds that each take floor(p n) of the n that are left."""
    left = 7264
    for _ in range(3):
        left -= int(0.3 * left)
    return judged(near(left, 7264 * 0.7**3), f"7,264 weights, three rounds of 30 %: {left:,} left")


@row("002-136")
def smallest_share() -> Finding:
    """p n is no whole number; the snippet takes its floor."""
    return judged(True, f"0.2 of 7,264 weights is {0.2 * 7264:,.1f}", more=True)


@row("002-143")
def rounds_to_a_tenth() -> Finding:
    """0.75^k <= 0.1 from k = log 0.1 / log 0.75 on."""
    rounds = math.log(0.1) / math.log(0.75)
    text = f"five rounds leave {0.75**5:.1%}, eight {0.75**8:.2%}; {rounds:.3f} rounds, so"
    return judged(math.ceil(rounds) == 9, f"{text} {math.ceil(rounds)}")


@row("003-011")
def zeros_and_dead_units() -> Finding:
    """Zeros: outputs that are 0. Dead: units that are 0 on every input."""
    h = np.maximum(np.array([[-1.0], [1.0]]) * [[1.0, -1.0]], 0)
    zeros, dead = (h == 0).mean(), (h == 0).all(axis=0).mean()
    text = f"relu(x) and relu(-x) on the points -1 and 1: {zeros:.0%} zeros, {dead:.0%} dead units"
    return judged(bool(zeros == dead), text)


@row("004-005")
def images() -> Finding:
    """The images of [-1, 1] under F_i, as intervals."""
    left, right = [[c + (x - c) / 4 for x in (-1, 1)] for c in (-1, 1)]
    text = "[{:g}, {:g}] and [{:g}, {:g}]".format(*left, *right)
    return judged(left[1] < right[0], text)
