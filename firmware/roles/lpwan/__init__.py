"""Roles of OMS LPWAN: the burst meter (meter*.py) and the burst gateway (gateway*.py). Modules are imported one by one."""
