namespace Weir.Storage.Files;

/// <summary>A file operation that the device or the operating system refused.</summary>
public sealed class LogIoException : IOException
{
    /// <summary>Creates one for an operation on a path.</summary>
    /// <param name="operation">What was tried, as the system call's name: "pwrite", "fdatasync".</param>
    /// <param name="path">The file, relative to the data directory.</param>
    /// <param name="isDiskFull">Whether lack of space (ENOSPC, EDQUOT) is the cause.</param>
    /// <param name="reason">The operating system's text.</param>
    public LogIoException(string operation, string path, bool isDiskFull, string reason)
        : base($"{operation} failed on '{path}': {reason}")
    {
        Operation = operation;
        Path = path;
        IsDiskFull = isDiskFull;
    }

    /// <summary>What was tried.</summary>
    public string Operation { get; }

    /// <summary>The file, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>Whether the file system is full: retriable once space returns. Everything else stops the log.</summary>
    public bool IsDiskFull { get; }
}
