namespace Weir.Storage.Compaction;

/// <summary>A run cannot go on: the log was cut or closed under it.</summary>
internal sealed class CompactionAbandonedException() : Exception("the log was changed meanwhile");
