"""The parts of the simulated rig: scene, cameras, sensors, time, faults and truth."""
