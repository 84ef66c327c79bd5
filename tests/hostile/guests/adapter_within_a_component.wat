;; Lowers a function that it has lifted itself: the compiler would have to write
;; the code that turns lists of texts from one encoding to the other.
(component
  (core module $m (memory (export "m") 1) (func (export "g") (param i32 i32) unreachable) (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $i (instantiate $m))
  (core instance $j (instantiate $m))
  (func $f (param "a" (list string)) (canon lift (core func $i "g") (memory $i "m") (realloc (func $i "r"))))
  (core func $l (canon lower (func $f) (memory $j "m") string-encoding=utf16))
  (core module $u (import "x" "k" (func (param i32 i32))))
  (core instance (instantiate $u (with "x" (instance (export "k" (func $l))))))
)
