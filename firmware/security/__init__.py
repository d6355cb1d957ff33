"""Security: keys that never show themselves, AES, and what is made of it. Modules are imported one by one.

keys (key_text: as people write them; default_keys: publicly known ones), aes (one interface, two back ends), mode5
(profile A), modes (what all modes are called).
"""
