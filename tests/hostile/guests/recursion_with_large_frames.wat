;; Few calls, but each keeps very many values on the stack: whoever counts
;; calls instead of bytes runs over the guard page.
(func $thirteen (param $row i32) (drop (call $deep (i64.const 1))))
(func $deep (param $x i64) (result i64)
VALUES
  (call $deep (i64.add (local.get $x) (i64.const 1)))
SUMS)
