namespace Weir.Client.Producing;

/// <summary>The bytes that a producer may hold. Thread-safe.</summary>
internal sealed class BufferGate(long limitBytes)
{
    private long _used;

    /// <summary>Called after bytes came back; must not block, because locks may be held.</summary>
    public event Action? Released;

    /// <summary>Bytes held now.</summary>
    public long UsedBytes => Interlocked.Read(ref _used);

    /// <summary>Takes bytes; more than the limit is granted only while nothing is held.</summary>
    public bool TryTake(int bytes)
    {
        while (true)
        {
            var used = Interlocked.Read(ref _used);
            if (!Fits(used, bytes))
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _used, used + bytes, used) == used)
            {
                return true;
            }
        }
    }

    /// <summary>Gives bytes back.</summary>
    public void Release(int bytes)
    {
        Interlocked.Add(ref _used, -bytes);
        Released?.Invoke();
    }

    private bool Fits(long used, int bytes) => used == 0 || used + bytes <= limitBytes;
}
