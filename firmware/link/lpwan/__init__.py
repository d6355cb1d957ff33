"""MAC and LLC of OMS LPWAN (OMS Vol. 2 Annex Q.3, Q.4). Modules are imported one by one: a device needs only some.

mac (frames, CRC), elements (MElements), body (MAC body), blocks and values (MBlocks); protection and counters, manager_counters
(MAC security); llc, telegram (what stands above the LLC); managed, clock, services (a meter's MAC services), manager (who
moves it); credits.
"""
