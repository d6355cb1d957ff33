"""Data points of breakers and valves.

Packed; how to read it: __init__.py of this package.
Generated from the facts of OMS Vol.2 Annex A and B by tools/generate_points.py: do not edit.
"""

COLUMNS = """
breaker_valve
"""

TAGS = """
DC1! I - m M CL01 0:96.3.19*255
DC2! I - m M CL02
"""

VIBS = """
CL01 FD1F/FFFF
CL02 FD1A/FFFF
"""
