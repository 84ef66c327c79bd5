;; Nothing but the slowest instructions of the CPU.
(func $thirteen (param $row i32)
  (local $x f64) (local $y i64)
  (local.set $x (f64.const 1e-310))
  (local.set $y (i64.const -3))
  (loop $ever
    (local.set $x (f64.div (f64.sqrt (local.get $x)) (f64.const 1.0000000001e160)))
    (local.set $y (i64.div_s (i64.const 0x7fffffffffffffff) (i64.or (local.get $y) (i64.const 1))))
    (br $ever)))
