"""Hop 2: raw samples become causal 200 Hz samples; channels are judged."""
