"""Workshop where models are made: the published network, its student, training, INT8 and export.

It writes model folders that ``edge_sdk`` reads; ``edge_sdk`` itself never imports it.
"""
