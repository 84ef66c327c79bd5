;; One component lifts a function and another lowers it: the compiler would have
;; to write the code that copies lists from the memory of the one to the other.
(component
  (component $lifting
    (core module $m
      (memory (export "memory") 1)
      (func (export "f") (param i32 i32) (unreachable))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (unreachable)))
    (core instance $i (instantiate $m))
    (func $f (param "a" (list string))
      (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc"))))
    (export "f" (func $f)))
  (component $lowering
    (import "f" (func $f (param "a" (list string))))
    (core module $m (memory (export "memory") 1))
    (core instance $i (instantiate $m))
    (core func $lowered (canon lower (func $f) (memory $i "memory") string-encoding=utf16))
    (core module $calling (import "x" "f" (func (param i32 i32))))
    (core instance (instantiate $calling (with "x" (instance (export "f" (func $lowered)))))))
  (instance $a (instantiate $lifting))
  (instance (instantiate $lowering (with "f" (func $a "f")))))
