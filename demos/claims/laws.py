"""What the ledger's claims about scaling laws come to, computed."""

import math

from scratchnet.demos.claims.findings import Compute, Finding, judged, near, registry
from scratchnet.depth.scaling import (
    HOFFMANN,
    KAPLAN_BEST_EXPONENT,
    KAPLAN_COMPUTE,
    KAPLAN_DATA,
    KAPLAN_PARAMETERS,
)

COMPUTED: dict[str, Compute] = {}
"""By the ids of the ledger's rows."""
row = registry(COMPUTED)


@row("002-080")
def kaplan_exponents() -> Finding:
    """alpha of N, D and C: Kaplan et al. 2020, equations 1.1 to 1.3."""
    found = [law.exponent for law in (KAPLAN_PARAMETERS, KAPLAN_DATA, KAPLAN_COMPUTE)]
    return judged(found == [0.076, 0.095, 0.05], ", ".join(f"{each:g}" for each in found))


@row("002-118")
def kaplan_constants() -> Finding:
    """N_c in parameters and D_c in tokens: Kaplan et al. 2020, equations 1.1 and 1.2."""
    scales = KAPLAN_PARAMETERS.scale, KAPLAN_DATA.scale
    return judged(scales == (8.8e13, 5.4e13), "{:g} and {:g}".format(*scales))


@row("002-083")
def data_for_size() -> Finding:
    """D ~ N^0.74 keeps the penalty: Kaplan et al. 2020, section 4.2."""
    without_penalty = 10**0.74
    text = f"10^0.74 = {without_penalty:.1f} times keeps the penalty of too little data as it is"
    return judged(near(without_penalty, 3, 0.2), text)


@row("002-084")
def half_the_loss() -> Finding:
    """2^(1 / alpha_D), of L = (D_c / D)^alpha_D."""
    found = KAPLAN_DATA.factor_to_multiply_loss_by(0.5)
    return judged(near(found, 1500, 0.05), f"2^(1/0.095) = {found:,.0f}")


@row("002-085")
def half_the_loss_of_a_larger_model() -> Finding:
    """2^(1 / alpha_D), divided by what 10 times the parameters are worth in tokens."""
    data = KAPLAN_DATA.factor_to_multiply_loss_by(0.5)
    equal = 10 ** (KAPLAN_PARAMETERS.exponent / KAPLAN_DATA.exponent)
    text = f"{data:,.0f} / 10^(0.076/0.095) = {data / equal:.0f}; {data:,.0f} / 3 = {data / 3:.0f}"
    return judged(near(data / equal, 500, 0.05), text)


@row("002-086", "002-120")
def chinchilla_exponents() -> Finding:
    """N ~ C^(beta / (alpha + beta)): Hoffmann et al. 2022, equation 4, within 10 %."""
    of_size = HOFFMANN.beta / (HOFFMANN.alpha + HOFFMANN.beta)
    text = f"exponents {of_size:.2f} and {1 - of_size:.2f} by the third fit"
    return judged(near(of_size, 0.5, 0.1), text)


@row("002-119")
def kaplan_allocation() -> Finding:
    """N ~ C^0.73 and D = B S ~ C^(0.24 + 0.03): Kaplan et al. 2020, section 1.2."""
    shares = KAPLAN_BEST_EXPONENT, 1 - KAPLAN_BEST_EXPONENT
    return judged(
        near(shares[0], 0.73) and near(shares[1], 0.27), "{:.2f} and {:.2f}".format(*shares)
    )


@row("002-090", "002-091")
def ten_times_larger() -> Finding:
    """10^-alpha_N, of L = (N_c / N)^alpha_N."""
    found = 10**-KAPLAN_PARAMETERS.exponent
    return judged(near(found, 0.84), f"10^-0.076 = {found:.3f}, that is {1 - found:.1%} less")


@row("002-101")
def gpt2_loss() -> Finding:
    """(N_c / N)^alpha_N in nats per token at N = 1.5e9."""
    found = KAPLAN_PARAMETERS(1.5e9)
    return judged(near(found, 3.3, 0.05), f"the law gives {found:.2f}")


@row("002-102")
def gpt3_prediction() -> Finding:
    """3.3 (N_1 / N_2)^alpha_N in nats per token, beside (N_c / N_2)^alpha_N."""
    ratio = (1.5 / 175) ** KAPLAN_PARAMETERS.exponent
    law = KAPLAN_PARAMETERS(175e9)
    text = f"3.3 x {ratio:.3f} = {3.3 * ratio:.2f}; the law itself gives {law:.2f}"
    return judged(near(3.3 * ratio, 2.30), text)


@row("002-103")
def within_5_percent() -> Finding:
    """The relative difference of the two losses."""
    off = abs(2.30 / 2.4 - 1)
    return judged(off < 0.05, f"2.30 is {off:.1%} below 2.4", more=True)


@row("002-104")
def extrapolation() -> Finding:
    """175e9 / 1.5e9 parameters."""
    return judged(near(175 / 1.5, 100, 0.2), f"175 / 1.5 = {175 / 1.5:.0f}", more=True)


@row("002-105")
def chinchilla_and_gpt3() -> Finding:
    """Training takes 6 N D FLOP (Kaplan et al. 2020); sizes: Hoffmann et al. 2022, table 1."""
    chinchilla, gpt3 = 6 * 70e9 * 1.4e12, 6 * 175e9 * 0.3e12
    text = f"6 N D: {chinchilla:.3g} against {gpt3:.3g}; {1.4 / 0.3:.1f} times the data"
    return judged(near(chinchilla, gpt3, 0.1), text)


@row("002-106")
def ten_times_compute() -> Finding:
    """C^0.5 at ten times the compute."""
    return judged(near(math.sqrt(10), 3.16), f"10^0.5 = {math.sqrt(10):.3f}")


@row("002-121")
def five_models() -> Finding:
    """(N_c / N)^alpha_N in nats per token, within 1 %."""
    found = [KAPLAN_PARAMETERS(size) for size in (117e6, 345e6, 762e6, 1.5e9, 175e9)]
    claimed = [3.51, 3.20, 2.98, 2.80, 2.30]
    holds = all(near(a, b) for a, b in zip(found, claimed, strict=True))
    return judged(holds, "the law gives " + ", ".join(f"{each:.2f}" for each in found))


@row("002-122")
def orders_of_magnitude() -> Finding:
    """log10 of the ratio of the sizes."""
    found = math.log10(175e9 / 117e6)
    return judged(found > 3, f"log10(175e9 / 117e6) = {found:.1f}", more=True)


@row("002-142")
def two_losses() -> Finding:
    """(N_c / N)^alpha_N in nats per token, within 1 %."""
    small, large = KAPLAN_PARAMETERS(1e8), KAPLAN_PARAMETERS(1e10)
    text = f"{small:.3f} and {large:.3f}, a ratio of {small / large:.3f}"
    return judged(near(small, 2.83) and near(large, 1.994), text)


@row("002-146")
def double_the_metric() -> Finding:
    """2^(1 / alpha_C), of L = (C_c / C)^alpha_C: Kaplan et al. 2020, equation 1.3."""
    found = KAPLAN_COMPUTE.factor_to_multiply_loss_by(0.5)
    return judged(near(found, 2**20), f"2^(1/0.05) = 2^20 = {found:,.0f} times", more=True)
