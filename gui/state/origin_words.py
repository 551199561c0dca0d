"""What must never be taken for real, and what predicts; in words. Pure."""

from rtbold.gui.state.dashboard import DashboardState


def origin_words(state: DashboardState) -> str:
    """Return the line of the banner; empty: stream and model claim to be real."""
    hello, fb = state.hello, state.fb
    origin = fb.model_origin if fb else hello.model_origin if hello else ""
    reasons = fb.reasons if fb else ()
    simulated_eeg = hello is not None and hello.simulated
    if simulated_eeg and origin == "simulated":
        return "SIMULATED EEG AND MODEL: nothing here comes from a brain"
    if simulated_eeg:
        return "SIMULATED EEG: nothing here comes from a brain"
    if origin == "simulated" or "simulated_model" in reasons:
        return "SIMULATED MODEL on real EEG: values mean nothing, apps get none"
    if "unvalidated" in reasons:
        return "UNVALIDATED: this model was not shown to predict this subject"
    return ""


def model_words(state: DashboardState) -> str:
    """Return what predicts, for whom, and by what; empty: the session has not said."""
    hello = state.hello
    if hello is None:
        return ""
    whose = f" for {hello.subject}" if hello.subject else ""
    engine = " ".join(part for part in (hello.engine, hello.precision) if part)
    by = f", {engine}" if engine else ""
    return f"Model {hello.model_name}{whose}{by}"
