"""A verdict with a given label, for tests of what reads it."""

from rtbold.bundle.card import Gate, RoiVerdict, Verdict


def make_verdict(target="Putamen", label="specific", rois=(), weights=None):
    """Return a verdict on `target`; `rois` maps the other ROIs to their labels."""
    passed = label in ("specific", "global or vigilance", "explained by artefact")
    gate = Gate(
        target=target,
        weights=weights or {target: 1.0},
        r=0.4, r_with_drift=0.41, r_low=0.2, r_high=0.6, p=0.01, p_phase=0.01,
        p_other=None, r_other=None, n_eff=80.0, alpha=0.05,
        passed=passed, label=label, reason="as the test says",
    )  # fmt: skip
    labels = {**({} if weights else {target: label}), **dict(rois)}
    return Verdict(
        gate=gate,
        rois=tuple(
            RoiVerdict(
                roi=roi, r=0.3, r_with_drift=0.3, r_low=0.1, r_high=0.5, p=0.01,
                p_max=0.05, n_eff=80.0, label=of_roi,
            )
            for roi, of_roi in labels.items()
        ),
        n_volumes=500,
        n_surrogates=999,
        block_n=6.0,
    )  # fmt: skip
