"""Jobs that say what a test tells them to."""

from rtbold.gui.controllers.children import SessionChild


class ScriptedJob:
    """One child: `say` lines, then `end` it."""

    def __init__(self, name, arguments, on_line):
        self.name, self.arguments = name, tuple(arguments)
        self.lines, self.problem, self.last_words = (), "", ""
        self.returncode, self.asked_to_stop = None, False
        self._on_line, self._new, self._code = on_line, [], None

    def say(self, *lines):
        self._new += [part for line in lines for part in line.splitlines()]
        return self

    def end(self, code=0, *, problem="", last_words=""):
        self._code, self.problem, self.last_words = code, problem, last_words

    def poll(self):
        new, self._new = self._new, []
        self.lines += tuple(new)
        for line in new:
            if self._on_line is not None:
                self._on_line(line)
        self.returncode = self._code
        return self.returncode

    def stop(self):
        self.asked_to_stop = True


class ScriptedJobs:
    """Remembers what was started."""

    def __init__(self):
        self.started = []
        self.closed = False

    @property
    def last(self):
        return self.started[-1]

    def named(self, word):
        """Return the newest job whose first argument is `word`."""
        return next(j for j in reversed(self.started) if j.arguments[0] == word)

    def start(self, name, arguments, *, on_line=None, limit_s=None):
        self.started.append(ScriptedJob(name, arguments, on_line))
        return self.last

    def start_session(self, arguments, log_file):
        return SessionChild(log_file)

    def close(self):
        self.closed = True
