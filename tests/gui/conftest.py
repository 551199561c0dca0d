import os

# before the first QApplication: windows of tests are drawn on no screen
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
