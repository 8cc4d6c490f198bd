"""The consumer: claims messages, has them evaluated, stores how they ended. Loops only."""
