;; Reads all over 60 MiB, so that every read waits for the memory of the machine.
(func $thirteen (param $row i32)
  (local $at i32)
  (drop (memory.grow (i32.const 896)))
  (loop $ever
    (local.set $at
      (i32.add
        (i32.rem_u (i32.mul (i32.add (local.get $at) (i32.const 1)) (i32.const 0x9e3779b1)) (i32.const 0x3b00000))
        (i32.wrap_i64 (i64.load (i32.and (local.get $at) (i32.const 0x3fffff8))))))
    (br_if $ever (i32.or (local.get $at) (i32.const 1)))))
