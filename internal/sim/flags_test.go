package sim

import "flag"

var only = flag.Uint64("seed", 0, "play this seed alone, and tell what happens")

// fewSeeds are played where nobody asks for more.
const fewSeeds = 20
