"""From a camera's packets to sealed segments and explained gaps."""
