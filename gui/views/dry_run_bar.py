"""The banner and the button of a dry run on the twin."""

from PyQt6.QtCore import QObject

from rtbold.gui.controllers.setup import SetupController
from rtbold.gui.state.dry_run import on_the_twin
from rtbold.gui.state.setup import SetupChoice
from rtbold.gui.state.theme_colours import Colours
from rtbold.gui.views.plain_widgets import named_button, wrapped_label
from rtbold.gui.views.setup.form import SetupForm


class DryRunBar(QObject):
    """Chooses the twin's streams, and later again what was chosen before."""

    def __init__(self, controller: SetupController, form: SetupForm) -> None:
        super().__init__()
        self._controller, self._form = controller, form
        self._real: SetupChoice | None = None
        self.banner = wrapped_label(name="dry_run_banner")
        self.banner.hide()
        self.button = named_button(
            "&Dry run",
            name="dry_run",
            tip="Let a simulated brain play on this machine and choose its streams",
        )
        self.button.clicked.connect(self._toggle)

    @property
    def real_choice(self) -> SetupChoice:
        """What is chosen for real streams, also during a dry run."""
        return self._form.choice if self._real is None else self._real

    def refresh(self) -> None:
        """Show how the dry run is."""
        dry_run = self._controller.dry_run
        if dry_run.state == "ended":
            self._put_back()
        coming = dry_run.name if dry_run.state == "starting" else ""
        self._form.await_streams(coming)
        words = dry_run.words()
        if words != self.banner.text():
            self.banner.setText(words)
        self.banner.setVisible(bool(words))
        self.button.setText("End &dry run" if dry_run.active else "&Dry run")

    def set_colours(self, colours: Colours) -> None:
        """Take the colours of a theme."""
        self.banner.setStyleSheet(
            f"background: {colours.degraded}; color: {colours.on_fill};"
            "font-weight: bold; padding: 5px;"
        )

    def _toggle(self) -> None:
        if self._controller.dry_run.active:
            self._controller.stop_dry_run()
            self._put_back()
            return
        twin = self._controller.start_dry_run()
        self._real = self._form.choice
        self._form.set_choice(on_the_twin(self._form.choice, twin.name))
        self._controller.find_streams()

    def _put_back(self) -> None:
        if self._real is not None:
            self._form.set_choice(self._real)
            self._real = None
