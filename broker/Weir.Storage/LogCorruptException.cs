namespace Weir.Storage;

/// <summary>Data that was durable once does not read back as it was written. Nothing was cut or changed.</summary>
public sealed class LogCorruptException : IOException
{
    /// <summary>Creates one for a place in a file.</summary>
    public LogCorruptException(string path, long position, long offset, string fault)
        : base($"'{path}' is damaged at byte {position}, offset {offset}: {fault}")
    {
        Path = path;
        Position = position;
        Offset = offset;
    }

    /// <summary>Creates one for records.</summary>
    /// <param name="offset">First offset that is damaged.</param>
    /// <param name="fault">What is wrong.</param>
    public LogCorruptException(long offset, string fault)
        : base(fault)
    {
        Path = string.Empty;
        Offset = offset;
    }

    /// <summary>First offset that cannot be read.</summary>
    public long Offset { get; }

    /// <summary>The file, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>First byte of the damage.</summary>
    public long Position { get; }
}
