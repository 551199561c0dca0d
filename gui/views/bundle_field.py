"""Which subject or model, which target, and what is known of it."""

import os

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QGridLayout, QWidget

from rtbold.gui.state.found import Bundles, BundleSeen
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.boxes import label_of
from rtbold.gui.views.forms import ListField
from rtbold.gui.views.plain_widgets import named_button, wrapped_label

SUBJECT, MODEL = "subject:", "model:"


class BundleField(QWidget):
    """Subject or model, and the target that is fed back."""

    edited = pyqtSignal()

    def __init__(self, colours: Colours) -> None:
        super().__init__()
        self._colours = colours
        self._bundles = Bundles()
        self.bundle = ListField(
            "bundle",
            "A subject's newest calibration, or a model that is nobody's",
            nothing="choose…",
        )
        self.target = ListField(
            "target", "What the participant gets: a ROI, or a contrast of ROIs"
        )
        self.facts = wrapped_label(name="bundle_facts")
        self.refusal = wrapped_label(name="bundle_refusal")
        self.browse = named_button(
            "…", name="bundle_browse", tip="Choose a bundle's folder (NAME.rtbold)"
        )
        self.browse.setMaximumWidth(34)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for row, (words, field) in enumerate(
            (("Su&bject or model", self.bundle), ("&Target", self.target))
        ):
            grid.addWidget(label_of(words, field), row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(self.browse, 0, 2)
        grid.addWidget(self.facts, 2, 0, 1, 3)
        grid.addWidget(self.refusal, 3, 0, 1, 3)
        grid.setColumnStretch(1, 1)
        self.bundle.edited.connect(self._other_bundle)
        self.target.edited.connect(self._tell)
        self.browse.clicked.connect(self._browse)
        self._show()

    @property
    def subject(self) -> str:
        """The subject's code; empty: a model is chosen, or nothing."""
        return _after(SUBJECT, self.bundle.value())

    @property
    def model(self) -> str:
        """The model's name or folder; empty: a subject is chosen, or nothing."""
        return _after(MODEL, self.bundle.value())

    @property
    def chosen(self) -> BundleSeen | None:
        """What is known of the bundle that is chosen."""
        return self._bundles.chosen(self.subject, self.model)

    def choose(self, *, subject: str, model: str, target: str) -> None:
        """Choose by name."""
        value = SUBJECT + subject if subject else MODEL + model if model else ""
        self.bundle.set_value(value)
        self.target.set_value(target)
        self._show()

    def show_bundles(self, bundles: Bundles) -> None:
        """Offer what there is."""
        if bundles is self._bundles:
            return
        self._bundles = bundles
        offered = [
            (SUBJECT + b.code, f"{b.code}: {_brief(b)}") for b in bundles.subjects
        ]
        offered += [(MODEL + b.name, f"{b.name}: {_brief(b)}") for b in bundles.models]
        self.bundle.offer(offered)
        self._show()

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self._colours = colours
        self._show()

    def _show(self) -> None:
        found = self.chosen
        targets = found.targets if found else ()
        own = found.target if found else ""
        offered = [(t, f"✕ {t} (not fit)" if found and t in found.unfit else t)
                   for t in targets]  # fmt: skip
        named = [("", f"{own} (the model's own)" if own else "the model's own")]
        self.target.offer([*named, *offered])
        target = self.target.value()
        why = found.refusal(target) if found else ""
        for label, words, colour in (
            (self.facts, found.facts() if found else self._without(), "muted"),
            (self.refusal, f"✕ {why}" if why else "", "invalid"),
        ):
            label.setText(words)
            label.setStyleSheet(f"color: {getattr(self._colours, colour)}")
            label.setVisible(bool(words))

    def _without(self) -> str:
        """Return what to say where nothing is known of the choice."""
        if self._bundles.problem:
            return f"✕ {self._bundles.problem}"
        if not self._bundles.searched:
            return "Looking for subjects and models …"
        if self.model:
            return f"Bundle {self.model}: the check will read it."
        if self.subject:
            return f"✕ Subject {self.subject} has no model here. Calibrate first."
        if not self._bundles.subjects:
            return "No subject is calibrated here yet; the models are for trying out."
        return ""

    def _other_bundle(self) -> None:
        self.target.set_value("")
        self._tell()

    def _tell(self) -> None:
        self._show()
        self.edited.emit()

    def _browse(self) -> None:
        home = os.path.expanduser("~")  # Path.home() raises where an account has none
        found = QFileDialog.getExistingDirectory(
            self, "Folder of the bundle (NAME.rtbold)", home
        )
        if found:
            self.bundle.set_value(MODEL + found)
            self._other_bundle()


def _after(prefix: str, text: str) -> str:
    return text.removeprefix(prefix) if text.startswith(prefix) else ""


def _brief(bundle: BundleSeen) -> str:
    return "✕ cannot be read" if bundle.error else bundle.origin_words
