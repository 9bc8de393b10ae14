"""How the box is doing, told from facts: to people (`Status`), to monitors (Prometheus) and to load balancers (ready).

Nothing here changes anything. What the facts mean is decided by pure functions (`problems`); gathering them asks only
indexed or remembered values, so that a monitor may scrape every few seconds beside 256 cameras.
"""
