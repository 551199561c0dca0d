"""Which of the electrodes that a checkpoint was trained on are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

from rtbold.electrodes import canonical
from rtbold.errors import ConfigError
from rtbold.models.montage import PUBLISHED_CHANNELS, electrode_table


@dataclass(frozen=True)
class Montage:
    """Electrodes by name: those of the training, and those wanted of them."""

    wanted: tuple[str, ...] = ()  # empty: all, in the order of the training
    trained: tuple[str, ...] = ()  # empty: the published 26

    def rows(self, n_tokens: int) -> list[int]:
        """Return which of the trained channels are wanted, in the order wanted.

        Raises
        ------
        ConfigError : the trained channels are not known, or a wanted one is not among
            them, or is named twice (T3 and T7).
        """
        trained = self.trained_names(n_tokens)
        if not self.wanted:
            return list(range(n_tokens))
        place = {canonical(name): row for row, name in enumerate(trained)}
        unknown = [given for given in self.wanted if canonical(given) not in place]
        if unknown:
            raise ConfigError(
                f"--channels names {', '.join(unknown)}, for which these weights have "
                f"no channel token; expected some of {' '.join(trained)}"
            )
        _refuse_twins(self.wanted)
        return [place[canonical(name)] for name in self.wanted]

    def trained_names(self, n_tokens: int) -> tuple[str, ...]:
        """Return the electrodes of the training in its order."""
        if not self.trained and n_tokens != len(PUBLISHED_CHANNELS):
            raise ConfigError(
                f"the checkpoint has {n_tokens} channel tokens, the published ones "
                f"have {len(PUBLISHED_CHANNELS)}: which electrodes it was trained on "
                "cannot be seen. Name them in the order of the training: "
                "--trained-channels A,B,..."
            )
        trained = self.trained or PUBLISHED_CHANNELS
        if len(trained) != n_tokens:
            raise ConfigError(
                f"--trained-channels names {len(trained)} electrodes, the checkpoint "
                f"has {n_tokens} channel tokens; name every one, in training order"
            )
        # The training read the table's own rows, T3 beside T7: no alias is resolved.
        table = {name.upper(): name for name in electrode_table()}
        names = tuple(table.get(name.strip().upper(), name) for name in trained)
        _refuse_twins(names)
        return names

    def free(self) -> tuple[str, ...]:
        """Return the electrodes for weights that do not depend on their number.

        Raises
        ------
        ConfigError : `trained` was given, or an electrode is named twice.
        """
        if self.trained:
            raise ConfigError(
                "--trained-channels was given, but these weights have no channel "
                "tokens of electrodes; choose electrodes with --channels"
            )
        _refuse_twins(self.wanted)
        return tuple(map(canonical, self.wanted)) or PUBLISHED_CHANNELS


def _refuse_twins(given: Sequence[str]) -> None:
    names = [canonical(name) for name in given]
    twins = [g for g, name in zip(given, names, strict=True) if names.count(name) > 1]
    if twins:
        raise ConfigError(
            f"{', '.join(twins)} name one electrode more than once, expected each once"
        )
