namespace Weir.Storage;

/// <summary>Data that was durable once does not read back as it was written. Nothing was cut or changed.</summary>
public sealed class LogCorruptException : IOException
{
    /// <summary>Creates one for a place in a file.</summary>
    public LogCorruptException(string path, long position, string fault)
        : base($"'{path}' is damaged at byte {position}: {fault}")
    {
        Path = path;
        Position = position;
    }

    /// <summary>The file, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>First byte of the damage.</summary>
    public long Position { get; }
}
