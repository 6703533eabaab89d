namespace Weir.Testing.Support;

/// <summary>Which of the unsynced changes a power loss keeps.</summary>
public enum CrashMode
{
    /// <summary>Nothing that was not synced.</summary>
    AllLost,

    /// <summary>Everything, as if the process had been killed.</summary>
    AllKept,

    /// <summary>What came before some moment, and perhaps the first sectors of the write at that moment.</summary>
    Prefix,

    /// <summary>Each sector of each write, each file length and each name by a toss, biased per file.</summary>
    Mixed,
}
