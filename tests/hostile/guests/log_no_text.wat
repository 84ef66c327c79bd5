;; Bytes that are no UTF-8, escapes and line ends: what would forge a log.
(data $forged (i32.const 512) "\ff\fe\1b[2J\r\n2026-01-01 ERROR all is lost\00")
(func $thirteen (param $row i32)
  (call $log (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 37)))
