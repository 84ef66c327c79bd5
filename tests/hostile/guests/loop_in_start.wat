;; Spins while it is instantiated, before any export is called.
(func $start (loop $ever (br $ever)))
(start $start)
