;; Blames a row that there is not, and traps.
(func $thirteen (param $row i32)
  (call $log (i32.const 4) (i32.const 1) (i32.const -1) (i32.const 1024) (i32.const 16))
  (unreachable))
