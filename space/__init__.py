"""The page, its server, its upload to the Hub and its export as files. The parts that run in the browser are in `web/`.

It imports `sae_model` and `training`; neither imports it.
"""
