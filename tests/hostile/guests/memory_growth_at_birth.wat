;; Takes all the memory that it may have and touches every page, each time that
;; an instance is made: the host must not keep the pages of those that are gone.
(func $start
  (local $at i32)
  (drop (memory.grow (i32.const 900)))
  (loop $next
    (i32.store (local.get $at) (i32.load (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 4096)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 0x3800000)))))
(start $start)
