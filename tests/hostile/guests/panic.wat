;; A panic as an SDK reports it: a fatal message with its row, then a trap. The
;; row is wrong: it is a hint, and decides nothing.
(func $thirteen (param $row i32)
  (call $log (i32.const 4) (i32.const 1) (i32.const 3) (i32.const 1024) (i32.const 16))
  (unreachable))
