"""Part masks from silhouettes of one tool and joints of another."""
