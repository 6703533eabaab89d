namespace Weir.Storage.Files;

/// <summary>Another broker, in this or another process, uses the data directory.</summary>
public sealed class DataDirectoryInUseException : IOException
{
    /// <summary>Creates one.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="holderProcessId">The process that holds it, where it could be read.</param>
    public DataDirectoryInUseException(string directory, int? holderProcessId)
        : base($"The data directory '{directory}' is in use by {Describe(holderProcessId)}.")
    {
        Directory = directory;
        HolderProcessId = holderProcessId;
    }

    /// <summary>The data directory.</summary>
    public string Directory { get; }

    /// <summary>The process that holds the directory; null where it could not be read.</summary>
    public int? HolderProcessId { get; }

    private static string Describe(int? processId) =>
        processId is { } id ? $"process {id}" : "another process";
}
