"""Questions and answers about a drawn scene, in English and Chinese. No torch."""
