;; Spins on one value, whichever function it comes to.
(func $thirteen (param $row i32) (loop $ever (br $ever)))
