print("w2w")
