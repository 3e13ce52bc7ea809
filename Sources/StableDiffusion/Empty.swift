// The room is furnished by the first file that moves in.
