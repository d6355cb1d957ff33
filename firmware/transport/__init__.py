"""Transport layer, and the authentication and fragmentation layer below it. Modules are imported one by one.

ci (what a CI code announces; ci_names: what it is called), header (TPL, received), compose (TPL, sent), authentication
(AFL).
"""
