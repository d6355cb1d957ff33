"""What a node stands on. A board is handed to `firmware.node` and its SPI and pins to a driver; nothing here imports them.

    now_us()          integer microseconds on a monotonic clock
    spi.transfer(tx, rx)
                      full duplex, one chip-select period; rx, a bytearray as long as tx, is filled in place
    pins[name].read() present level of a line of the radio, 0 or 1: "gdo0", "gdo2" of a CC1101, "dio1", "busy" of an SX1262
    pins[name].write(level)
                      of a line that the host drives: "reset", "txen", "rxen", where the HAT has them; with `read` it
                      is what was written last
    wait(until_us, exact=False)
                      sleep until an edge or that instant (None: as long as it takes); with `exact` only until shortly
                      before it, polling edges and the clock from then on; returns (edges, lost): edges is a list of
                      (line, level, at_us) in order of time since the last call, lost how many went missing; "busy" is
                      only looked at and has none
    close()           gives the devices back (the virtual board has none)

Edges are requested at the first `wait`: by then the driver has programmed what its pins show. Misuse raises MisuseError,
and what the machine refuses RadioError with a hint.

`linux`: spidev and gpiod. `micropython`: machine.SPI and Pin.irq. `virtual`: nothing attached. `hats`: the wirings.
"""
