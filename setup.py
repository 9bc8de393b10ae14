"""What pyproject.toml cannot say: one part is compiled, where there is a compiler (ADR 24)."""

from setuptools import Extension, setup

# Optional: where it cannot be compiled it is left out, and what it does is done in Python.
setup(ext_modules=[Extension("recorder.capture.rtp._whole", ["recorder/capture/rtp/_whole.c"], optional=True)])
