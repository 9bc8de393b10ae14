"""The box: what runs, in which order, and how one asks it. Nobody imports it."""
