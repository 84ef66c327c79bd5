;; Calls itself for ever while it is instantiated.
(func $start (call $start))
(start $start)
