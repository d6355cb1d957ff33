"""Bringing omsnode onto a Raspberry Pi: a plan of steps as data (plan), what carries them out (steps, shell), what is written
(unit, settings, wheel)."""
