"""What holds for all tests."""

from hypothesis import settings

# A limit in milliseconds for each example would fail on a busy machine, and says nothing of what is tested.
settings.register_profile("custos", deadline=None)
settings.load_profile("custos")
