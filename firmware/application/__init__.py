"""Application layer. Modules are imported one by one: a device that only sends needs few of them.

telegram (`decode`: all layers of a telegram), record (DIB, VIB and data), dib, vif with its tables units, types (bytes to
values), fields (sizes of data), profile (compact profiles), error_codes. To send: encode, reals, dates; builder makes DIB
and VIB from words.
"""
