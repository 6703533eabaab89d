namespace Weir.Testing.Support;

/// <summary>What a step of <see cref="SimulatedDisk"/> changes.</summary>
public enum DiskOperation
{
    Create,
    Write,
    Allocate,
    Truncate,
    Sync,
    Delete,
    Rename,
    CreateDirectory,
    DeleteDirectory,
    SyncDirectory,
    SyncAll,
}

/// <summary>One mutating operation, about to run.</summary>
/// <param name="Number">1 for the disk's first; a crash image starts again at 1.</param>
/// <param name="Operation">What it is.</param>
/// <param name="Path">The path it was called with (of a rename, the source); "" for all of the disk.</param>
public readonly record struct DiskStep(long Number, DiskOperation Operation, string Path);
